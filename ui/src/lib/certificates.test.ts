import { expect, it } from 'vitest';
import { commonName, validity } from './certificates';

const DAY = 86_400;

it.each([
  [-1, 61, 'plain', '61 days left'],
  [-1, 13, 'degraded', '13 days left'],
  [-1, 0.5, 'degraded', 'ends today'],
  [-9, -0.5, 'unhealthy', 'expired today'],
  [-9, -2.2, 'unhealthy', 'expired 2 days ago'],
  [1, 90, 'unhealthy', 'not valid yet'],
])('valid from day %d to day %d is %s: "%s"', (from, to, tone, words) => {
  const now = 1_700_000_000;
  const certificate = { subject: '', issuer: '', not_before: now + from * DAY, not_after: now + to * DAY };
  expect(validity(certificate, now * 1000)).toEqual({ tone, words });
});

it.each([
  ['CN=api.example.com', 'api.example.com'],
  ['C=US, O=Example, CN=R11', 'R11'],
  ['O=No Name Inc.', 'O=No Name Inc.'],
])('"%s" is known as "%s"', (subject, name) => expect(commonName(subject)).toBe(name));
