-- How many notifications the viewer has not read, counted up to `limit`.
-- Each is counted at one posting: of its newest visible revision, the one in the last topic. So nothing has to be
-- sorted or made distinct, and the scan ends at the limit.
SELECT count(*) FROM (
    (SELECT
    FROM /* interests() */ s
    LEFT JOIN notifications_readmark mark ON mark.viewer_id = s.viewer_id AND mark.topic_id = s.topic_id
    JOIN notifications_posting p ON p.topic_id = s.topic_id AND p.seq > COALESCE(mark.seq, 0)
    JOIN notifications_notification n ON n.id = p.notification_id
    WHERE /* visible(p, s) */
    AND NOT EXISTS (
        SELECT FROM notifications_readitem item
        WHERE item.viewer_id = %(viewer_id)s AND item.notification_id = n.id AND item.revision >= p.revision
    )
    AND NOT EXISTS (
        SELECT
        FROM notifications_posting other
        JOIN /* interests() */ via ON via.topic_id = other.topic_id
        LEFT JOIN notifications_readmark seen ON seen.viewer_id = via.viewer_id AND seen.topic_id = via.topic_id
        WHERE other.notification_id = n.id
          AND (
              (other.revision, other.topic_id) > (p.revision, p.topic_id)
              OR (other.revision = p.revision AND other.seq <= seen.seq)
          )
          AND /* visible(other, via) */
    ))
    UNION ALL
    -- And what the viewer has marked as unread, whatever the marks say.
    (SELECT
    FROM notifications_readitem own
    JOIN notifications_notification n ON n.id = own.notification_id
    CROSS JOIN LATERAL /* standing(n) */ seen
    WHERE own.viewer_id = %(viewer_id)s
      AND NOT own.is_read
      AND NOT own.is_dismissed
      AND own.revision >= seen.revision)
    LIMIT %(limit)s
) unread
