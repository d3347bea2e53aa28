-- Whether in the topics to which a notification was posted there is at least one interest for each ten of the viewers
-- [first, last).
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
