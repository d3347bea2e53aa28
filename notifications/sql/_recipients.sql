-- recipients(e, n, pref)
-- THE SEAM, for one: whether notification n goes to the endpoint e. `_told.sql` says the same of many viewers.
EXISTS (
    SELECT
    FROM notifications_posting p
    JOIN /* interests() */ s ON s.topic_id = p.topic_id
    WHERE p.notification_id = n.id AND s.viewer_id = e.viewer_id AND /* reaches(n, p, s) */
)
AND NOT EXISTS (SELECT FROM accounts_user u WHERE u.id = e.viewer_id AND NOT u.is_active)
AND /* takes(e, n, pref) */
