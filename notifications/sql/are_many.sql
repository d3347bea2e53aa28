-- Whether at least every tenth of the viewers [first, last) hears of a topic to which a notification was posted.
SELECT count(*) >= (%(last)s - %(first)s) / 10.0
FROM (
    SELECT
    FROM (SELECT DISTINCT topic_id FROM notifications_posting WHERE notification_id = %(notification)s) p
    CROSS JOIN LATERAL (
        SELECT FROM /* interests() */ one
        WHERE one.topic_id = p.topic_id AND one.viewer_id >= %(first)s AND one.viewer_id < %(last)s
        OFFSET 0
    ) s
    LIMIT (%(last)s - %(first)s + 9) / 10  -- more need not be counted
) enough
