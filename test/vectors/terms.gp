\\ gp -q test/vectors/terms.gp >test/vectors/terms.json
\\ A000045 and A000032, and F(n) and L(n) modulo random numbers, by powers of a matrix.
setrand(15);
quoted(v) = strjoin(apply(x -> Str("\"", x, "\""), v), ",");
fibonacciAt(n) = fibonacci(n);
lucasAt(n) = fibonacci(n + 1) + fibonacci(n - 1);
print("{\"A000045\": [", quoted(vector(200, i, fibonacciAt(i - 1))), "],");
print("\"A000032\": [", quoted(vector(200, i, lucasAt(i - 1))), "],");
residues(n, m) = my(p = lift(([1, 1; 1, 0] * Mod(1, m))^n)); [n, m, p[1, 2], (p[1, 1] + p[2, 2]) % m];
small = vector(150, i, residues(random(10^(1 + i \ 30)), 1 + random(10^(1 + i \ 3))));
large = vector(100, i, residues(random(10^i), 1 + random(10^i)));
line(c) = Str("{\"n\":\"", c[1], "\",\"mod\":\"", c[2], "\",\"fibonacci\":\"", c[3], "\",\"lucas\":\"", c[4], "\"}");
print("\"residues\": [\n", strjoin(apply(line, concat(small, large)), ",\n"), "\n]}");
quit;
