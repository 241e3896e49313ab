import type { BackendRow, DrainRow, RuleRow, TunnelRow } from "./answers.ts";
import { bytesInWords, durationInWords } from "./figures.ts";
import type { Column } from "./table.ts";

export const TUNNEL_COLUMNS: readonly Column<TunnelRow>[] = [
  { heading: "ID", cell: ({ id }) => id },
  { heading: "ROUTE", cell: ({ route }) => route },
  { heading: "RULE", cell: ({ rule }) => rule },
  { heading: "BACKEND", cell: ({ backend }) => backend },
  { heading: "CLIENT", cell: ({ client }) => client },
  { heading: "AGE", cell: ({ ageMs }) => durationInWords(ageMs), isNumber: true },
  { heading: "IDLE", cell: ({ idleMs }) => durationInWords(idleMs), isNumber: true },
  { heading: "UP", cell: ({ bytesUp }) => bytesInWords(bytesUp), isNumber: true },
  { heading: "DOWN", cell: ({ bytesDown }) => bytesInWords(bytesDown), isNumber: true },
];

export const BACKEND_COLUMNS: readonly Column<BackendRow>[] = [
  { heading: "UPSTREAM", cell: ({ upstream }) => upstream },
  { heading: "BACKEND", cell: ({ backend }) => backend },
  { heading: "STATE", cell: ({ state, ejection }) => (ejection === undefined ? state : ejectionInWords(ejection)) },
  { heading: "FOR", cell: ({ stateMs }) => durationInWords(stateMs), isNumber: true },
  { heading: "TUNNELS", cell: ({ tunnels }) => String(tunnels), isNumber: true },
  { heading: "PENDING", cell: ({ pending }) => String(pending), isNumber: true },
  { heading: "LEFT", cell: ({ drain }) => (drain === undefined ? "-" : String(drain.left)), isNumber: true },
  { heading: "CLOSED", cell: ({ drain }) => (drain === undefined ? "-" : String(drain.closed)), isNumber: true },
  {
    heading: "ENDS IN",
    cell: ({ drain }) => (drain === undefined || drain.left === 0 ? "-" : endsIn(drain.endsInMs)),
    isNumber: true,
  },
];

export const RULE_COLUMNS: readonly Column<RuleRow>[] = [
  { heading: "ROUTE", cell: ({ route }) => route },
  { heading: "RULE", cell: ({ rule }) => rule },
  { heading: "HOSTS", cell: ({ hosts }) => few(hosts) },
  { heading: "MATCHES", cell: ({ matches }) => few(matches) },
  {
    heading: "BACKENDS",
    cell: ({ backends }) => few(backends.map(({ upstream, weight }) => `${upstream} (${weight})`)),
  },
  { heading: "TUNNELS", cell: ({ tunnels }) => String(tunnels), isNumber: true },
];

export const DRAIN_COLUMNS: readonly Column<DrainRow>[] = [
  { heading: "ID", cell: ({ id }) => id },
  { heading: "REASON", cell: ({ reason }) => reason },
  { heading: "STATE", cell: ({ state }) => state },
  { heading: "WAITING", cell: ({ waiting }) => String(waiting), isNumber: true },
  { heading: "CLOSING", cell: ({ closing }) => String(closing), isNumber: true },
  { heading: "GONE", cell: ({ gone }) => String(gone), isNumber: true },
  {
    heading: "ENDS IN",
    cell: ({ state, endsInMs }) => (state === "done" ? "-" : endsIn(endsInMs)),
    isNumber: true,
  },
  { heading: "TARGET", cell: ({ target }) => target },
];

function endsIn(ms: number | undefined): string {
  return ms === undefined ? "-" : durationInWords(ms);
}

const FEW = 2;

/** The first of many: `-o json` has all of them. */
function few(texts: readonly string[]): string {
  const more = texts.length - FEW;
  return texts.slice(0, FEW).join("; ") + (more > 0 ? ` and ${more} more` : "");
}

/** `ejected: DialFailure, 4s left`. */
function ejectionInWords({ sign, endsInMs }: NonNullable<BackendRow["ejection"]>): string {
  return `ejected: ${sign}, ${durationInWords(endsInMs)} left`;
}
