-- Counts whom a notification was for, in whichever revision, as each may be news for some regions alone: who follows one
-- of its topics for its kind (routed), and whom of them it reaches (posted). One pass over the followers, whatever became
-- of them since.
WITH followers AS (
    SELECT s.viewer_id, bool_or(/* reaches(n, p, s) */) AS is_reached
    FROM notifications_posting p
    JOIN notifications_notification n ON n.id = p.notification_id
    JOIN notifications_topic t ON t.id = p.topic_id AND t.name NOT LIKE 'viewer:%%'
    JOIN /* interests() */ s ON s.topic_id = p.topic_id
    WHERE p.notification_id = %(notification)s
      AND p.seq >= s.from_seq
      AND (s.until_seq IS NULL OR p.seq < s.until_seq)
      AND (s.is_given OR n.kind = ANY (s.kinds))
    GROUP BY s.viewer_id
), counted AS (
    SELECT count(*) AS routed, count(*) FILTER (WHERE f.is_reached) AS posted
    FROM followers f
    JOIN accounts_user u ON u.id = f.viewer_id AND u.is_active
)
INSERT INTO notifications_reach (notification_id, stage, viewers)
SELECT n.id, told.stage, told.viewers
FROM counted
CROSS JOIN LATERAL (VALUES ('routed', counted.routed), ('posted', counted.posted)) AS told (stage, viewers)
JOIN notifications_notification n ON n.id = %(notification)s
ON CONFLICT (notification_id, stage) DO UPDATE SET viewers = EXCLUDED.viewers
