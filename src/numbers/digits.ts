export const LOG10_PHI = Math.log10((1 + Math.sqrt(5)) / 2);
