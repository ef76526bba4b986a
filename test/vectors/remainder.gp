\\ How remainder.json is made: gp -q --default colors=no test/vectors/remainder.gp > test/vectors/remainder.json
f(n, m) = lift((Mod([1, 1; 1, 0], m) ^ n)[1, 2]);
{
  moduli = [1, 2, 3, 5, 8, 625, 10^3, 2^26, 94906265, 94906267, 2^52 + 1, 2^53 - 1, 2^53, 2^53 + 1, 10^16, 5^40, 2^100,
    10^100, 10^100 + 267, nextprime(2^2045), 2^2046 - 1, 2^2046 + 1, 10^616, 10^617 + 1, 2^3000, 10^1000 + 453];
  print("[");
  for (i = 1, #moduli, foreach([10^18, 10^100 - 1, 10^300 + 7], n,
    print("{\"n\":\"", n, "\",\"m\":\"", moduli[i], "\",\"value\":\"", f(n, moduli[i]), "\"}",
      if(i < #moduli || n < 10^300, ",", ""))));
  print("]");
}
