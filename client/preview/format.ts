/** Numbers as the page writes them: few digits, a true minus, nothing invented. */

/** About `digits` significant digits. */
export function figure(value: number | null | undefined, digits = 4): string {
  if (value === null || value === undefined) return "–";
  if (Number.isNaN(value)) return "NaN";
  if (!Number.isFinite(value)) return value > 0 ? "∞" : "−∞";
  if (value === 0) return "0";
  const size = Math.abs(value);
  const text =
    size >= 1e6 || size < 1e-4
      ? value.toExponential(Math.max(digits - 2, 0)).replace("e+", "e")
      : String(Number(value.toPrecision(digits)));
  return text.replaceAll("-", "−");
}

/** In a cell: as many digits as it has room for, without the zero before the point. */
export function brief(value: number, room: number): string {
  for (const digits of [4, 3, 2, 1]) {
    const text = figure(value, digits).replace(/^(−?)0\./, "$1.");
    if (text.length <= room) return text;
  }
  return Math.abs(value) < 1 && room >= 2 ? "~0" : "";
}

export function whole(value: number): string {
  return value.toLocaleString("en-US");
}

export function percent(part: number, all: number): string {
  if (all === 0 || part === 0) return "0";
  const share = (100 * part) / all;
  return share < 0.1 ? "<0.1 %" : `${share >= 99.95 && part < all ? ">99.9" : share.toFixed(share < 10 ? 1 : 0)} %`;
}

export function milliseconds(value: number): string {
  if (value < 1) return `${value.toFixed(2)} ms`;
  return value < 1000
    ? `${value.toFixed(value < 10 ? 1 : 0)} ms`
    : `${(value / 1000).toFixed(value < 10_000 ? 1 : 0)} s`;
}

/** `1.2 GMAC`. */
export function work(macs: number): string {
  return `${scaled(macs, 1000, ["", "k", "M", "G", "T", "P"])}MAC`;
}

export function bytes(value: number): string {
  return `${scaled(value, 1024, ["", "Ki", "Mi", "Gi", "Ti"])}B`;
}

function scaled(value: number, base: number, units: readonly string[]): string {
  let [unit, rest] = [0, value];
  while (rest >= base && unit < units.length - 1) {
    rest /= base;
    unit++;
  }
  return `${rest >= 100 || unit === 0 ? Math.round(rest) : rest.toFixed(1)} ${units[unit]}`;
}
