/** A column: its heading, and what stands in it. */
export interface Column<Row> {
  readonly heading: string;
  readonly cell: (row: Row) => string;
  /** Numbers stand under one another by their last digit. */
  readonly isNumber?: boolean;
}

const GAP = "  ";

/** Rows under headings, as wide as they must be; each line ends with a line break. */
export function tableOf<Row>(columns: readonly Column<Row>[], rows: readonly Row[]): string {
  const cells = rows.map((row) => columns.map(({ cell }) => printable(cell(row))));
  const lines = [columns.map(({ heading }) => heading), ...cells];
  const widths = columns.map((_, index) => lines.reduce((most, line) => Math.max(most, line[index]?.length ?? 0), 0));
  return lines
    .map(
      (line) =>
        `${line
          .map((text, index) => padded(text, columns, widths, index))
          .join(GAP)
          .trimEnd()}\n`,
    )
    .join("");
}

function padded<Row>(text: string, columns: readonly Column<Row>[], widths: readonly number[], index: number): string {
  const width = widths[index] ?? 0;
  return columns[index]?.isNumber === true ? text.padStart(width) : text.padEnd(width);
}

/** What a terminal would take for orders to itself is shown as `?`. */
export function printable(text: string): string {
  return text.replaceAll(/[\u0000-\u001f\u007f-\u009f]/g, "?");
}
