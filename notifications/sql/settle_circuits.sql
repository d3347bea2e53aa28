-- Counts failures of hosts in a row. From `limit` of them on the circuit is open, for longer with each failed probe
-- (up to a minute), and at least for as long as the host asked for.
INSERT INTO notifications_circuit AS c (host, failures, retry_at, last_error)
SELECT
    r.host,
    r.failures,
    CASE WHEN r.failures >= %(limit)s THEN now() + make_interval(secs => GREATEST(r.delay, 1)) END,
    r.error
FROM unnest(%(hosts)s::text[], %(failures)s::int[], %(delays)s::float8[], %(errors)s::text[])
    AS r (host, failures, delay, error)
ORDER BY r.host  -- so that two that settle at once never wait in a ring
ON CONFLICT (host) DO UPDATE SET
    failures = c.failures + EXCLUDED.failures,
    retry_at = CASE
        WHEN c.failures + EXCLUDED.failures >= %(limit)s THEN GREATEST(
            EXCLUDED.retry_at,
            now() + LEAST(60, 2 ^ LEAST(6, (c.failures + EXCLUDED.failures - %(limit)s) / 4))
                * (0.5 + random() / 2) * interval '1 second'
        )
    END,
    last_error = EXCLUDED.last_error
