-- All of what a viewer has read: marks, the newest single items, and the version of both.
SELECT
    COALESCE((SELECT version FROM notifications_readstate WHERE viewer_id = %(viewer_id)s), 0) AS version,
    COALESCE((
        SELECT jsonb_object_agg(t.name, mark.seq)
        FROM notifications_readmark mark JOIN notifications_topic t ON t.id = mark.topic_id
        WHERE mark.viewer_id = %(viewer_id)s
    ), '{}') AS positions,
    COALESCE((
        SELECT jsonb_agg(notification_id) FROM (
            SELECT notification_id FROM notifications_readitem
            WHERE viewer_id = %(viewer_id)s ORDER BY notification_id DESC LIMIT 200
        ) newest
    ), '[]') AS ids
