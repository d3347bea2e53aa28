-- dismissed(p)
-- The viewer has dismissed the notification of posting p, at its revision or a later one: what came after is news again.
EXISTS (
    SELECT FROM notifications_readitem item
    WHERE item.viewer_id = %(viewer_id)s
      AND item.notification_id = p.notification_id
      AND item.revision >= p.revision
      AND item.is_dismissed
)
