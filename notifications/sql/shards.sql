-- The first viewer of each shard of `size` interests in the topics of a notification.
SELECT viewer_id
FROM (
    SELECT s.viewer_id, row_number() OVER (ORDER BY s.viewer_id) AS place
    FROM /* interests() */ s
    WHERE s.topic_id IN (SELECT topic_id FROM notifications_posting WHERE notification_id = %(notification)s)
) followers
WHERE place %% %(size)s = 1
ORDER BY viewer_id
