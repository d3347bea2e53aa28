-- Takes what is due in a lane, oldest first. What goes to a host whose circuit is open, or that is sent as much as it
-- may be already, is put off in the same stroke without counting as an attempt: it never stands in the way of others.
WITH due AS MATERIALIZED (
    SELECT d.ctid AS place, d.endpoint_id, d.next_attempt_at
    FROM notifications_delivery d
    WHERE d.state = 'open' AND d.lane = %(lane)s AND d.next_attempt_at <= now()
    ORDER BY d.next_attempt_at
    LIMIT %(limit)s
    FOR UPDATE SKIP LOCKED
), probed AS (
    -- Of two that claim at once, one alone finds the circuit still due.
    UPDATE notifications_circuit c
    SET retry_at = now() + make_interval(secs => %(lease)s)
    WHERE c.retry_at <= now() AND c.host IN (
        SELECT e.host FROM due JOIN notifications_endpoint e ON e.id = due.endpoint_id
        WHERE EXISTS (SELECT FROM notifications_circuit WHERE retry_at <= now())  -- else nothing is looked up
    )
    RETURNING c.host
), judged AS (
    SELECT
        due.place, e.id AS endpoint, e.host, e.address, e.push_key, e.push_auth, e.secret, c.retry_at,
        CASE WHEN e.previous_until > now() THEN e.previous_secret ELSE '' END AS previous_secret,
        CASE WHEN e.disabled_at IS NULL AND u.is_active THEN u.email END AS email,
        row_number() OVER (PARTITION BY e.host ORDER BY due.next_attempt_at) AS nth,
        CASE
            WHEN c.retry_at IS NULL THEN %(per_host)s - COALESCE(busy.held, 0)
            WHEN probed.host IS NOT NULL THEN 1
            ELSE 0
        END AS room
    FROM due
    LEFT JOIN notifications_endpoint e ON e.id = due.endpoint_id
    LEFT JOIN accounts_user u ON u.id = e.viewer_id
    LEFT JOIN notifications_circuit c ON c.host = e.host
    LEFT JOIN probed ON probed.host = e.host
    LEFT JOIN unnest(%(hosts)s::text[], %(held)s::int[]) AS busy (host, held) ON busy.host = e.host
), decided AS (
    -- Where there is no endpoint any more, or none that works, it passes: to be cancelled.
    SELECT *, (email IS NULL OR nth <= room) AS passes FROM judged
)
UPDATE notifications_delivery d
SET attempts = d.attempts + decided.passes::int,
    lease_token = CASE WHEN decided.passes THEN %(token)s::uuid END,
    next_attempt_at = CASE
        WHEN decided.passes THEN now() + make_interval(secs => %(lease)s)
        WHEN decided.retry_at IS NULL THEN now() + (0.1 + random() / 5) * interval '1 second'
        ELSE GREATEST(decided.retry_at, now() + interval '1 second') + random() * interval '2 seconds'
    END
FROM decided
WHERE d.ctid = decided.place
RETURNING
    decided.passes, d.waits, d.bundle, d.notification_id, d.viewer_id, d.channel, d.endpoint_id, d.lane, d.attempts, decided.host,
    COALESCE(decided.address, '') AS address, decided.email, decided.push_key, decided.push_auth,
    decided.secret, decided.previous_secret, extract(epoch FROM clock_timestamp())::float8 AS moment
