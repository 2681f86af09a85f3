/** Numbers and dates in the reader's language. */
export interface Format {
  number(value: number, digits?: number): string;
  percent(ratio: number): string;
  degrees(value: number): string;
  bytes(count: number): string;
  /** m:ss */
  clock(seconds: number): string;
  /** A patient-local ISO date, whatever the device's time zone. */
  day(date: string): string;
  weekday(date: string, width: "narrow" | "long"): string;
  moment(instant: string): string;
}

export function formats(language: string): Format {
  const number = (value: number, digits = 0) =>
    new Intl.NumberFormat(language, { maximumFractionDigits: digits }).format(value);
  const date = (iso: string, options: Intl.DateTimeFormatOptions) =>
    new Intl.DateTimeFormat(language, { ...options, timeZone: "UTC" }).format(new Date(`${iso}T00:00:00Z`));
  return {
    number,
    percent: (ratio) => new Intl.NumberFormat(language, { style: "percent" }).format(ratio),
    degrees: (value) => `${number(value)}°`,
    bytes: (count) => {
      const megabytes = count / 1e6;
      return `${number(megabytes, megabytes < 10 ? 1 : 0)} MB`;
    },
    clock: (seconds) => {
      const whole = Math.floor(seconds);
      return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, "0")}`;
    },
    day: (iso) => date(iso, { weekday: "long", day: "numeric", month: "long" }),
    weekday: (iso, width) => date(iso, { weekday: width }),
    moment: (instant) =>
      new Intl.DateTimeFormat(language, { dateStyle: "medium", timeStyle: "short" }).format(
        new Date(instant),
      ),
  };
}
