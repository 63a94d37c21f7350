/** One row for each consumer, which whoever changes its money locks where rows may be missing that others are about to write. */
export const budgetLockTable = `
  create table budget_holders (consumer text primary key, changes bigint not null);
`;

/** Earlier versions of the gateway do not know the column, and have no list prices. */
export const estimatedCostColumn = 'alter table spend add column estimated_cost bigint not null default 0;';

/** What budgets and spend are kept in. Money is in millionths of the currency, as a whole number: sums are exact. */
export const budgetTables = `
  create table budgets (
    consumer text not null,
    period text not null,
    spent bigint not null,
    reserved bigint not null,
    primary key (consumer, period)
  );
  create table budget_reservations (
    id text primary key,
    job text not null,
    owner text not null,
    consumer text not null,
    period text not null,
    day text not null,
    amount bigint not null,
    each_image bigint not null
  );
  create index budget_reservations_by_job on budget_reservations (job);
  create table spend (
    consumer text not null,
    model text not null,
    target text not null,
    day text not null,
    currency text not null,
    calls bigint not null,
    images bigint not null,
    text_in bigint not null,
    image_in bigint not null,
    cached_in bigint not null,
    text_out bigint not null,
    image_out bigint not null,
    cost bigint not null,
    assumed_cost bigint not null,
    unpriced bigint not null,
    unknown_outcomes bigint not null,
    primary key (consumer, day, model, target, currency)
  );
  create index spend_by_day on spend (day);
  create table settled_calls (id text primary key, settled_at bigint not null);
  create index settled_calls_by_time on settled_calls (settled_at);
`;
