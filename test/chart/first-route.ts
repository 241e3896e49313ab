/** The YAML between `kubectl apply -f - <<'EOF'` and `EOF` of the notes. */
export function firstRoute(notes: string): string {
  const lines = notes.split("\n").map((line) => line.replace(/^ {3}/, ""));
  const begin = lines.findIndex((line) => line.endsWith("<<'EOF'"));
  return lines.slice(begin + 1, lines.indexOf("EOF")).join("\n");
}
