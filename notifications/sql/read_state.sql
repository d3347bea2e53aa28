-- All of what a viewer has read: marks, what they said of single notifications (the newest), and the version of both.
SELECT
    COALESCE((SELECT version FROM notifications_readstate WHERE viewer_id = %(viewer_id)s), 0) AS version,
    COALESCE((
        SELECT jsonb_object_agg(t.name, mark.seq)
        FROM notifications_readmark mark JOIN notifications_topic t ON t.id = mark.topic_id
        WHERE mark.viewer_id = %(viewer_id)s
    ), '{}') AS positions,
    COALESCE((
        SELECT jsonb_agg(jsonb_build_array(notification_id, revision, is_read, is_dismissed)) FROM (
            SELECT item.notification_id, n.revision, item.is_read, item.is_dismissed
            FROM notifications_readitem item JOIN notifications_notification n ON n.id = item.notification_id
            WHERE item.viewer_id = %(viewer_id)s AND NOT EXISTS (
                -- It has changed since, so it is unread again, and no longer dismissed.
                SELECT FROM notifications_posting p JOIN /* interests() */ s ON s.topic_id = p.topic_id
                WHERE p.notification_id = n.id AND p.revision > item.revision AND /* visible(p, s) */
            )
            ORDER BY item.notification_id DESC LIMIT 200
        ) newest
    ), '[]') AS items
