\\ How ends.json is made: gp -q -s 256M --default colors=no test/vectors/ends.gp > test/vectors/ends.json
\\ Logarithms to 6,000 digits, where the code has proven bounds in fixed point and doubles the bits when in doubt.
default(realprecision, 6000);
default(realbitprecision, 20000);
phi = log((1 + sqrt(5)) / 2) / log(10);
root = log(5) / 2 / log(10);
remainder(n, m) = lift((Mod([1, 1; 1, 0], m) ^ n)[1, 2]);
pad(value, k) = { my(s = Str(value)); while (#s < k, s = Str("0", s)); s };

\\ The index below 10^size whose slope·n - goal comes closest to an integer from above (below, if not isAbove), by
\\ Ostrowski's numeration: each convergent of the slope takes what it can from the distance.
closest(slope, goal, size, isAbove) = {
  my(n = 0, left = frac(if(isAbove, -goal, goal)), p = 1, q = 0, pp = 0, qq = 1, x = slope, a, d, c);
  if (left <= 0, left += 1);
  while (1,
    a = floor(x); [p, pp] = [a * p + pp, p]; [q, qq] = [a * q + qq, q]; x = 1 / (x - a);
    d = q * slope - p; if (isAbove, d = -d);
    if (d <= 0, next);
    c = floor(left / d);
    if (max(n + c * q, q) >= 10 ^ size, return(n));
    n += c * q; left -= c * d);
};

entry(n, k) = {
  my(x = n * phi - root, e = floor(x));
  Str("{\"n\":\"", n, "\",\"digits\":\"", e + 1, "\",\"first\":\"", floor(10 ^ (x - e + k - 1)),
    "\",\"last\":\"", pad(remainder(n, 10 ^ k), k), "\"}");
};
counted(kind, n, x) = Str("{\"kind\":\"", kind, "\",\"n\":\"", n, "\",\"digits\":\"", floor(x) + 1, "\"}");
list(name, entries) = { print("\"", name, "\":["); for (i = 1, #entries, print(entries[i], if(i < #entries, ",", ""))); };

{
  ends = List();
  foreach([20, 128, 999], size, foreach([1, 17, 1000], k, foreach([0, 1], isAbove,
    c = 10 ^ (k - 1) + 1 + random(8 * 10 ^ (k - 1));
    listput(ends, entry(closest(phi, root + log(c) / log(10), size, isAbove), k)))));
  counts = List();
  foreach([40, 45, 128, 900], size, foreach([0, 1], isAbove,
    n = closest(phi, root, size, isAbove); listput(counts, counted("fibonacci", n, n * phi - root));
    n = closest(phi, 0, size, isAbove); listput(counts, counted("lucas", n, n * phi))));
  \\ From 10^126 on log10 n! is as straight as a line for 10^40 steps or more.
  start = 3 * 10 ^ 126; slope = log(start) / log(10); at = lngamma(start + 1) / log(10);
  foreach([0, 1], isAbove, n = start + closest(slope, -at, 42, isAbove);
    listput(counts, counted("factorial", n, lngamma(n + 1) / log(10))));
  logs = List();
  foreach([1001, 54321, 10 ^ 6, 10 ^ 30], n, foreach([202, 404, 6464], bits,
    listput(logs, Str("{\"n\":\"", n, "\",\"bits\":", bits, ",\"ln\":\"", floor(lngamma(n + 1) * 2 ^ bits), "\"}"))));
  print("{"); list("ends", ends); print("],"); list("digits", counts); print("],");
  list("factorials", logs); print("]}");
}
