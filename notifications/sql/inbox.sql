-- A page of the viewer's inbox, newest first: a merge of all interests' notifications below the cursor, in rounds. A
-- round takes the newest few of each, more where more is posted, and judges those alone above which none was cut short:
-- what gave as many as were taken may hold more of its last, and below. Until the page is full, each round takes more.
WITH RECURSIVE interests AS MATERIALIZED /* mine() */, searched AS MATERIALIZED (
    SELECT *, (end_seq / sum(end_seq) OVER ())::float8 AS share FROM interests WHERE lower(heard) <= clock_timestamp()
), round AS (
    SELECT %(before)s::bigint - 1 AS low, %(first_size)s::float8 AS size, '{}'::bigint[] AS ids
    UNION ALL
    SELECT result.low, 4 * round.size, round.ids || result.ids
    FROM round
    CROSS JOIN LATERAL (
        WITH taken AS MATERIALIZED (
            SELECT s.topic_id, s.from_seq, s.size, wanted.kind, p.*, s.is_kids, s.languages, s.region
            FROM (SELECT *, 1 + ceil(round.size * share)::bigint AS size FROM searched) s
            CROSS JOIN LATERAL (
                -- A short interval is read as a whole; a long one for each kind apart, from its newest notification on.
                SELECT NULL::varchar AS kind WHERE s.end_seq - s.from_seq <= 2 * s.size
                UNION ALL
                SELECT kind FROM unnest(s.kinds) AS kind WHERE s.end_seq - s.from_seq > 2 * s.size
            ) wanted
            CROSS JOIN LATERAL (
                SELECT few.notification_id, few.revision, few.regions
                FROM (
                    SELECT notification_id, revision, regions, posted_at FROM notifications_posting
                    WHERE topic_id = s.topic_id AND kind = ANY (s.kinds) AND seq >= s.from_seq AND seq < s.end_seq
                    OFFSET 0  -- a fence: read this range of the index, whatever the filters are thought to keep
                ) few
                WHERE wanted.kind IS NULL AND few.notification_id <= round.low AND few.posted_at <@ s.heard
                UNION ALL
                (SELECT many.notification_id, many.revision, many.regions
                FROM (
                    SELECT notification_id, revision, regions, posted_at, seq FROM notifications_posting
                    WHERE topic_id = s.topic_id AND kind = wanted.kind AND notification_id <= round.low
                    ORDER BY notification_id DESC
                    OFFSET 0  -- another: backwards, and no further than to the limit
                ) many
                WHERE wanted.kind IS NOT NULL
                  AND many.seq >= s.from_seq AND many.seq < s.end_seq AND many.posted_at <@ s.heard
                LIMIT s.size)
            ) p
        ), floor AS MATERIALIZED (
            SELECT COALESCE(max(cut.low), 0) AS low
            FROM (
                SELECT min(notification_id) AS low FROM taken WHERE kind IS NOT NULL
                GROUP BY topic_id, from_seq, kind, size HAVING count(*) = size
            ) cut
        )
        SELECT floor.low, ARRAY(
            SELECT DISTINCT ON (p.notification_id) p.notification_id
            FROM (SELECT * FROM taken WHERE notification_id > floor.low ORDER BY notification_id DESC OFFSET 0) p
            JOIN notifications_notification n ON n.id = p.notification_id
            WHERE (n.expires_at IS NULL OR n.expires_at > now())
              AND /* suits(n, p, p) */
              AND NOT /* dismissed(p) */
            ORDER BY p.notification_id DESC
            LIMIT %(limit)s
        ) AS ids
        FROM floor
    ) result
    WHERE round.low > 0 AND cardinality(round.ids) < %(limit)s
), chosen AS MATERIALIZED (
    SELECT one.id
    FROM (SELECT ids FROM round ORDER BY low LIMIT 1) last
    CROSS JOIN unnest(last.ids) AS one (id)
    ORDER BY one.id DESC
    LIMIT %(limit)s
)
SELECT
    n.id, seen.revision, n.kind, n.title, n.body, n.url, n.image, n.studio, n.category, n.recalled,
    n.published_at, n.expires_at, seen.positions, seen.read
FROM chosen
JOIN notifications_notification n ON n.id = chosen.id
CROSS JOIN LATERAL /* standing(n) */ seen
ORDER BY n.id DESC
