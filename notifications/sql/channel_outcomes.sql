-- What became of a notification's deliveries, by channel, state and reason; those that were pruned included.
-- Reasons are told in our words alone: an error may name a viewer's own host or address.
SELECT channel, state, reason, sum(deliveries)::bigint AS deliveries, sum(failures)::bigint AS failures
FROM (
    SELECT
        d.channel,
        CASE
            WHEN d.state = 'open' AND tried.failed > 0 THEN 'retrying'
            WHEN d.state IN ('open', 'held', 'bundled') THEN 'waiting'
            ELSE d.state
        END AS state,
        CASE
            WHEN d.state = 'sent' OR d.last_error = '' THEN ''
            WHEN d.last_error ~ 'answered [0-9]{3}' THEN 'Answered ' || substring(d.last_error FROM 'answered ([0-9]{3})')
            WHEN d.last_error ~* 'no answer|timeout' THEN 'No answer in time'
            WHEN d.last_error LIKE '%%is not a public address%%' THEN 'Not a public address'
            WHEN d.last_error LIKE '%%keys cannot be used%%' THEN 'The browser''s keys cannot be used'
            ELSE 'Could not be reached'
        END AS reason,
        count(*) AS deliveries,
        sum(GREATEST(tried.failed - (d.state = 'sent')::int, 0)) AS failures  -- one that others carried was never tried
    FROM notifications_delivery d
    CROSS JOIN LATERAL (SELECT d.attempts - (d.lease_token IS NOT NULL)::int) AS tried (failed)
    WHERE d.notification_id = %(notification)s
    GROUP BY 1, 2, 3
    UNION ALL
    SELECT channel, state, '', deliveries, failures
    FROM notifications_pastdeliveries
    WHERE notification_id = %(notification)s
) outcomes
GROUP BY channel, state, reason
ORDER BY sum(deliveries) DESC, channel, state, reason
