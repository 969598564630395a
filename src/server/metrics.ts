/**
 * What the server counts, as Prometheus reads it.
 * Invariant: labels come from fixed lists (routes, statuses, models), never from requests, so that their number is bounded.
 */

/** Upper edges in seconds. */
const EDGES = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];

export interface Metrics {
  request(route: string, status: number, seconds: number): void;
  tokens(model: string, count: number): void;
  cut(): void;
  text(gauges: Readonly<Record<string, number>>): string;
}

interface Histogram {
  readonly counts: number[];
  sum: number;
  count: number;
}

export function createMetrics(): Metrics {
  const requests = new Map<string, number>();
  const durations = new Map<string, Histogram>();
  const tokens = new Map<string, number>();
  let cuts = 0;
  const add = (map: Map<string, number>, key: string, by: number) => map.set(key, (map.get(key) ?? 0) + by);

  return {
    request(route, status, seconds) {
      add(requests, `route="${route}",status="${status}"`, 1);
      let found = durations.get(route);
      if (found === undefined) {
        found = { counts: EDGES.map(() => 0), sum: 0, count: 0 };
        durations.set(route, found);
      }
      EDGES.forEach((edge, i) => {
        if (seconds <= edge) found.counts[i]++;
      });
      found.sum += seconds;
      found.count++;
    },
    tokens: (model, count) => add(tokens, `model="${label(model)}"`, count),
    cut() {
      cuts++;
    },
    text(gauges) {
      const lines: string[] = [];
      const family = (name: string, type: string, help: string) =>
        lines.push(`# HELP microgpt_${name} ${help}`, `# TYPE microgpt_${name} ${type}`);
      family('requests_total', 'counter', 'Requests by route and status.');
      for (const [labels, count] of requests) lines.push(`microgpt_requests_total{${labels}} ${count}`);
      family('request_seconds', 'histogram', 'Time from the request to the end of its answer.');
      for (const [route, { counts, sum, count }] of durations) {
        EDGES.forEach((edge, i) => {
          lines.push(`microgpt_request_seconds_bucket{route="${route}",le="${edge}"} ${counts[i]}`);
        });
        lines.push(`microgpt_request_seconds_bucket{route="${route}",le="+Inf"} ${count}`);
        lines.push(`microgpt_request_seconds_sum{route="${route}"} ${sum}`);
        lines.push(`microgpt_request_seconds_count{route="${route}"} ${count}`);
      }
      family('tokens_total', 'counter', 'Tokens written, by model.');
      for (const [labels, count] of tokens) lines.push(`microgpt_tokens_total{${labels}} ${count}`);
      family('streams_cut_total', 'counter', 'Answers that did not come to their end.');
      lines.push(`microgpt_streams_cut_total ${cuts}`);
      for (const [name, value] of Object.entries(gauges)) {
        family(name, 'gauge', GAUGES[name] ?? name);
        lines.push(`microgpt_${name} ${value}`);
      }
      return `${lines.join('\n')}\n`;
    },
  };
}

const GAUGES: Readonly<Record<string, string>> = {
  active: 'Requests that are being answered.',
  waiting: 'Requests that wait for their turn.',
  ready: '1 when the server takes requests.',
};

const label = (text: string) => text.replace(/[\\"\n]/g, '_');
