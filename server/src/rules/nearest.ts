/**
 * "Did you mean …?": the candidate closest to a misspelt word, or nothing where none is close.
 *
 * Distance is optimal string alignment (Damerau–Levenshtein without repeated edits), so that a swap of two letters, the
 * commonest slip, counts once; upper and lower case and underscores count nothing.
 */

/** Longer words are no slips of the finger, and their distance would cost time. */
const MAX_LENGTH = 64;

/** The closest candidate within a third of the word's length, or null. Ties go to the first. */
export function nearest(word: string, candidates: readonly string[]): string | null {
  return nearestOf(word, candidates)[0] ?? null;
}

/** All candidates that are closest, within a third of the word's length. */
export function nearestOf(word: string, candidates: readonly string[]): readonly string[] {
  if (word.length === 0 || word.length > MAX_LENGTH) return [];
  const plainWord = plainForm(word);
  let best: string[] = [];
  let least = Math.max(1, Math.floor(plainWord.length / 3));
  for (const candidate of candidates) {
    if (candidate.length > MAX_LENGTH || candidate === word) continue;
    const plainCandidate = plainForm(candidate);
    if (Math.abs(plainCandidate.length - plainWord.length) > least) continue;
    const distance = editDistance(plainWord, plainCandidate);
    // A one-letter word is one edit from every other: only its other case may match.
    if (distance > least || distance >= plainWord.length) continue;
    if (distance < least) best = [];
    best.push(candidate);
    least = distance;
  }
  return best;
}

/** ` Did you mean X?` after a sentence, or nothing. */
export function didYouMean(word: string, candidates: readonly string[]): string {
  const close = nearest(word, candidates);
  return close === null ? "" : ` Did you mean ${close}?`;
}

function plainForm(word: string): string {
  return word.toLowerCase().replace(/[_\s-]/g, "");
}

/** Insertions, deletions, substitutions and swaps of neighbours that turn `a` into `b`. */
export function editDistance(a: string, b: string): number {
  let beforeLast: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const substitution = last[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1);
      let cost = Math.min(substitution, last[j]! + 1, row[j - 1]! + 1);
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) {
        cost = Math.min(cost, beforeLast[j - 2]! + 1);
      }
      row.push(cost);
    }
    beforeLast = last;
    last = row;
  }
  return last[b.length]!;
}
