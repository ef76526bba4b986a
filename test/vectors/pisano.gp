\\ gp -q -s 200M test/vectors/pisano.gp >test/vectors/pisano.json
\\ The periods of A001175 by definition for m up to 200, and of numbers of up to 30 digits by another way than
\\ src/numbers/pisano.ts: where 5 is a square modulo p, the period is the lcm of the orders of the roots of
\\ x^2 - x - 1, and elsewhere the order of the root in the field of p^2 elements; orders by PARI's znorder and fforder.
\\ Of p^e it is p^(e-1) times that: so for every p that anybody has tried, checked here by the matrix.
setrand(13);
byDefinition(m) = { my(a = 0, b = 1 % m, k = 0); until(a == 0 && b == 1 % m, [a, b] = [b, (a + b) % m]; k++); k };
ofPrime(p) = {
  if(p == 2, return(3)); if(p == 5, return(20));
  if(kronecker(5, p) == 1, my(r = (1 + sqrt(Mod(5, p))) / 2); return(lcm(znorder(r), znorder(1 - r))));
  fforder(ffgen((x^2 - x - 1) * Mod(1, p), 'a));
};
ofPower(p, e) = {
  my(k = ofPrime(p) * p^(e - 1), m = p^e, one = matid(2) * Mod(1, m));
  if(([1, 1; 1, 0] * Mod(1, m))^k != one, error(m));
  if(e > 1 && ([1, 1; 1, 0] * Mod(1, m))^(k / p) == one, error("a Wall-Sun-Sun prime: ", p));
  k;
};
period(m) = { my(f = factor(m), k = 1); for(i = 1, #f~, k = lcm(k, ofPower(f[i, 1], f[i, 2]))); k };
for(m = 1, 2000, if(byDefinition(m) != period(m), error(m)));

cases = List();
put(m) = listput(cases, m);
for(i = 1, 600, put(1 + random(10^(1 + random(18)))));
for(i = 1, 200, put(10^18 - random(10^9)));
for(i = -20, 20, put(10^18 + i));
for(i = 1, 30, put(10^i));
\\ The hardest: products of two primes of one length, primes, squares of primes, primes next to twice a product.
near(n) = nextprime(n + random(n \ 10));
hard(n) = {
  my(r = sqrtint(n));
  put(near(r) * near(r)); put(near(n)); put(near(r)^2);
  forstep(s = -1, 1, 2, my(p); until(isprime(p), p = 2 * near(r) * near(sqrtint(n \ 4)) + s); put(p));
};
for(i = 1, 20, hard(9 * 10^17));
for(i = 1, 3, hard(10^24));
for(i = 1, 2, hard(5 * 10^29));
for(i = 1, 20, put(10^30 - random(10^20)));
forprime(p = 2, 50, my(e = logint(10^30, p)); put(p^e); put(p^(e \ 2)));

quoted(v) = strjoin(apply(c -> Str("[\"", c[1], "\",\"", c[2], "\"]"), v), ",\n");
first = vector(200, m, Str(byDefinition(m)));
print("{\"A001175\": [", strjoin(first, ","), "],");
print("\"cases\": [\n", quoted(apply(m -> [m, period(m)], Vec(cases))), "\n]}");
quit;
