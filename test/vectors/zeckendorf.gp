\\ gp -q test/vectors/zeckendorf.gp >test/vectors/zeckendorf.json
\\ A014417, the representations of 0, 1, 2, … as binary words, whose last digit is F(2), by the rule that follows words
\\ by the next one without two ones side by side; and the indices of random values, greedily.
setrand(14);
words = select(n -> bitand(n, n >> 1) == 0, [0 .. 1000]);
word(n) = if(n == 0, "0", strjoin(apply(b -> Str(b), binary(n))));
indices(v) = {
  my(found = List(), n = 2);
  while(fibonacci(n + 1) <= v, n++);
  while(v > 0, while(fibonacci(n) > v, n--); listput(found, n); v -= fibonacci(n); n -= 2);
  Vec(found);
};
cases = vector(80, i, random(10^i));
\\ The longest representations and the shortest, next to each other.
cases = concat(cases, concat(vector(40, i, my(n = 3 + random(400)); [fibonacci(n) - 1, fibonacci(n), fibonacci(n) + 1])));
print("{\"A014417\": [", strjoin(apply(n -> Str("\"", word(n), "\""), words), ","), "],");
line(v) = Str("{\"value\":\"", v, "\",\"indices\":", strjoin(strsplit(Str(indices(v)), " ")), "}");
print("\"cases\": [\n", strjoin(apply(line, cases), ",\n"), "\n]}");
quit;
