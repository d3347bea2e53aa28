-- stale(d, e, n, pref)
-- Why delivery d, which was put off when it was made, is not to be made any more; empty where it is.
CASE
    WHEN NOT d.waits THEN ''
    WHEN NOT (/* recipients(e, n, pref) */) THEN 'Its viewer does not want it any more.'
    WHEN d.unless_seen AND (
        EXISTS (
            SELECT FROM notifications_readitem item
            WHERE item.viewer_id = d.viewer_id AND item.notification_id = n.id AND item.revision >= n.revision
        ) OR EXISTS (
            SELECT FROM notifications_posting p
            JOIN notifications_readmark mark ON mark.topic_id = p.topic_id AND mark.viewer_id = d.viewer_id
            WHERE p.notification_id = n.id AND p.revision >= n.revision AND p.seq <= mark.seq
        )
    ) THEN 'It was read on the site.'
    ELSE ''
END
