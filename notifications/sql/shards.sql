-- Where the shards of a notification begin, and where the last one ends: viewers' ids. A shard has at most `size`
-- interests in each of its topics, so that many viewers in most cases, and more only where one viewer has more of them.
-- (`creation.plan` sees to it that the index by topic and viewer is walked along.)
WITH RECURSIVE ends AS MATERIALIZED (
    SELECT p.topic_id, lowest.viewer_id AS first, highest.viewer_id + 1 AS last
    FROM (SELECT DISTINCT topic_id FROM notifications_posting WHERE notification_id = %(notification)s) p
    CROSS JOIN LATERAL (
        SELECT s.viewer_id FROM /* interests() */ s WHERE s.topic_id = p.topic_id ORDER BY s.viewer_id LIMIT 1
    ) lowest
    CROSS JOIN LATERAL (
        SELECT s.viewer_id FROM /* interests() */ s WHERE s.topic_id = p.topic_id ORDER BY s.viewer_id DESC LIMIT 1
    ) highest
), bounds AS (
    SELECT topic_id, first AS viewer_id, TRUE AS is_first FROM ends
    UNION ALL
    SELECT bounds.topic_id, next.viewer_id, FALSE
    FROM bounds
    CROSS JOIN LATERAL (
        SELECT s.viewer_id
        FROM /* interests() */ s
        WHERE s.topic_id = bounds.topic_id AND s.viewer_id > bounds.viewer_id
        ORDER BY s.viewer_id
        OFFSET %(size)s - 1
        LIMIT 1
    ) next
)
SELECT min(first) AS viewer_id FROM ends HAVING count(*) > 0
UNION
SELECT viewer_id FROM bounds WHERE NOT is_first
UNION
SELECT max(last) FROM ends HAVING count(*) > 0
ORDER BY viewer_id
