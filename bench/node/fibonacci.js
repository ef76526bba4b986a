// F(n) by Node.js's own big integers, as decimal text on stdout. What fibserver is measured against.
const n = BigInt(process.argv[2]);
let [value, next] = [0n, 1n];
for (const bit of n.toString(2)) {
  const double = value * (2n * next - value);
  const doubleNext = value * value + next * next;
  [value, next] = bit === "1" ? [doubleNext, double + doubleNext] : [double, doubleNext];
}
process.stdout.write(String(value));
