-- decision(e, n, pref)
-- What becomes of a delivery by what its viewer prefers: one row, none where they never chose. Step by step it says at
-- which moment it would leave, and what the clocks on the viewer's wall show then. `OFFSET 0` works each step out once.
SELECT
    ruled.state,
    ruled.moment AS due_at,
    CASE ruled.state WHEN 'held' THEN %(digest_lane)s ELSE %(lane)s END AS lane,
    CASE ruled.state
        WHEN 'expired' THEN 'It is over by the time at which the viewer would hear of it.'
        WHEN 'suppressed' THEN format('The viewer wants no more than %%s a day here.', due.cap)
        ELSE ''
    END AS reason,
    ruled.state = 'held' OR ruled.moment > now() AS waits,
    ruled.state = 'held' OR (asked.steps > 0 AND pref.escalate_after IS NOT NULL) AS unless_seen,
    CASE WHEN ruled.state = 'open' AND due.cap IS NOT NULL THEN due.wall::date END AS capped_on
FROM (
    -- Escalation: first the site alone, then the browsers, then mail. A program of the viewer's hears at once.
    SELECT
        COALESCE((
            SELECT p.time_zone FROM accounts_viewerprofile p
            WHERE p.user_id = pref.viewer_id AND p.time_zone = ANY (%(zones)s)
        ), 'UTC') AS zone,
        CASE e.channel
            WHEN 'web_push' THEN 1
            WHEN 'mail' THEN 1 + EXISTS (
                SELECT FROM notifications_endpoint browser
                WHERE browser.viewer_id = pref.viewer_id
                  AND browser.channel = 'web_push' AND browser.disabled_at IS NULL
            )::int
            ELSE 0
        END AS steps,
        e.channel = 'mail' AND %(lane)s <> %(live_lane)s AS fits_a_digest
    OFFSET 0
) asked
CROSS JOIN LATERAL (
    SELECT at.moment, at.moment AT TIME ZONE asked.zone AS wall
    FROM (SELECT now() + COALESCE(asked.steps * pref.escalate_after, 0) * interval '1 minute' AS moment) at
    OFFSET 0
) told
CROSS JOIN LATERAL (
    SELECT at.moment, at.moment AT TIME ZONE asked.zone AS wall, asked.zone
    FROM (
        SELECT CASE
            WHEN NOT asked.fits_a_digest OR pref.digest = 'never' THEN told.moment
            WHEN pref.digest = 'hourly' THEN date_trunc('hour', told.moment) + interval '1 hour'
            ELSE (told.wall::date + (told.wall::time >= pref.digest_at)::int + pref.digest_at) AT TIME ZONE asked.zone
        END AS moment
    ) at
    OFFSET 0
) planned
CROSS JOIN LATERAL (
    SELECT at.moment, at.moment AT TIME ZONE asked.zone AS wall, (pref.caps ->> e.channel)::int AS cap
    FROM (SELECT /* after_quiet(planned, pref) */ AS moment) at
    OFFSET 0
) due
CROSS JOIN LATERAL (
    -- The cap: what is over it joins the next daily digest where it can. A digest counts to no cap.
    SELECT NOT (asked.fits_a_digest AND pref.digest <> 'never') AND due.cap <= (
        SELECT count(DISTINCT counted.notification_id)
        FROM notifications_delivery counted
        WHERE counted.viewer_id = e.viewer_id
          AND counted.channel = e.channel
          AND counted.capped_on = due.wall::date
          AND counted.notification_id <> n.id
          AND counted.state IN ('open', 'sent', 'dead')
    ) AS is_over
    OFFSET 0
) counting
CROSS JOIN LATERAL (
    SELECT at.moment, at.moment AT TIME ZONE asked.zone AS wall, asked.zone
    FROM (
        SELECT CASE
            WHEN counting.is_over AND asked.fits_a_digest
                THEN (due.wall::date + (due.wall::time >= pref.digest_at)::int + pref.digest_at) AT TIME ZONE asked.zone
            ELSE due.moment
        END AS moment
    ) at
    OFFSET 0
) moved
CROSS JOIN LATERAL (
    SELECT
        at.moment,
        CASE
            WHEN n.expires_at <= at.moment THEN 'expired'
            WHEN n.kind = 'live_event' AND n.expires_at IS NULL AND at.moment > told.moment THEN 'expired'
            WHEN counting.is_over AND NOT asked.fits_a_digest THEN 'suppressed'
            WHEN asked.fits_a_digest AND (pref.digest <> 'never' OR counting.is_over) THEN 'held'
            ELSE 'open'
        END AS state
    FROM (SELECT /* after_quiet(moved, pref) */ AS moment) at
    OFFSET 0
) ruled
-- In a fence of its own this is looked at before all steps, not after them.
WHERE pref.viewer_id IS NOT NULL
OFFSET 0
