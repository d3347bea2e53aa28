-- A page of the viewer's inbox, newest first: a merge of each interval's newest notifications below the cursor.
WITH chosen AS MATERIALIZED (
    SELECT DISTINCT candidate.notification_id
    FROM notifications_subscription s
    CROSS JOIN LATERAL (
        SELECT DISTINCT p.notification_id
        FROM notifications_posting p
        JOIN notifications_notification n ON n.id = p.notification_id
        WHERE p.notification_id < %(before)s AND /* visible(p, s) */
        ORDER BY p.notification_id DESC
        LIMIT %(limit)s
    ) candidate
    WHERE s.viewer_id = %(viewer_id)s
    ORDER BY candidate.notification_id DESC
    LIMIT %(limit)s
)
/* entries() */
ORDER BY n.id DESC
