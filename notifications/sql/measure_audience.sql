-- Counts whom a notification was for, in whichever revision, as each may be news for some regions alone: who follows one
-- of its topics for its kind (routed), and whom of them it reaches (posted). One pass over the followers, whatever became
-- of them since. (The fence is looked into with one posting at a time: so all users are read for the platform's topic
-- alone, and profiles and memberships may be hashed once, instead of looked up for each follower.)
WITH judged AS (
    SELECT follower.viewer_id, follower.is_reached
    FROM notifications_posting p
    JOIN notifications_notification n ON n.id = p.notification_id
    JOIN notifications_topic t ON t.id = p.topic_id AND t.name NOT LIKE 'viewer:%%'
    CROSS JOIN LATERAL (
        SELECT s.viewer_id, /* reaches(n, p, s) */ AS is_reached
        FROM /* interests() */ s
        WHERE s.topic_id = p.topic_id
          AND p.seq >= s.from_seq
          AND (s.until_seq IS NULL OR p.seq < s.until_seq)
          AND (s.is_given OR n.kind = ANY (s.kinds))
        OFFSET 0
    ) follower
    WHERE p.notification_id = %(notification)s
), followers AS (
    SELECT viewer_id, bool_or(is_reached) AS is_reached
    FROM judged
    GROUP BY viewer_id
), counted AS (
    SELECT count(*) AS routed, count(*) FILTER (WHERE f.is_reached) AS posted
    FROM followers f
    WHERE NOT EXISTS (SELECT FROM accounts_user u WHERE u.id = f.viewer_id AND NOT u.is_active)
)
INSERT INTO notifications_reach (notification_id, stage, viewers)
SELECT n.id, told.stage, told.viewers
FROM counted
CROSS JOIN LATERAL (VALUES ('routed', counted.routed), ('posted', counted.posted)) AS told (stage, viewers)
JOIN notifications_notification n ON n.id = %(notification)s
ON CONFLICT (notification_id, stage) DO UPDATE SET viewers = EXCLUDED.viewers
