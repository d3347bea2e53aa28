-- Where the shards of `size` interests in the topics of a notification begin, and where the last one ends: viewers' ids.
-- (Behind the fence all users are read for the platform's topic alone.)
WITH followers AS MATERIALIZED (
    SELECT s.viewer_id
    FROM (SELECT DISTINCT topic_id FROM notifications_posting WHERE notification_id = %(notification)s) p
    CROSS JOIN LATERAL (SELECT * FROM /* interests() */ one WHERE one.topic_id = p.topic_id OFFSET 0) s
)
(
    SELECT viewer_id
    FROM (SELECT viewer_id, row_number() OVER (ORDER BY viewer_id) AS place FROM followers) numbered
    WHERE place %% %(size)s = 1
)
UNION ALL
SELECT max(viewer_id) + 1 FROM followers HAVING count(*) > 0
ORDER BY viewer_id
