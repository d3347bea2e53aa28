-- A page of the viewer's inbox, newest first: a merge of each interval's newest notifications below the cursor.
WITH chosen AS MATERIALIZED (
    SELECT DISTINCT candidate.notification_id
    FROM /* interests() */ s
    CROSS JOIN LATERAL (
        SELECT DISTINCT p.notification_id
        FROM (
            SELECT topic_id, seq, notification_id, revision, posted_at, regions
            FROM notifications_posting
            WHERE topic_id = s.topic_id AND notification_id < %(before)s
            ORDER BY notification_id DESC
            OFFSET 0  -- a fence: read the index backwards and stop at the limit, whatever the filters are thought to keep
        ) p
        JOIN notifications_notification n ON n.id = p.notification_id
        WHERE /* visible(p, s) */ AND NOT /* dismissed(p) */
        ORDER BY p.notification_id DESC
        LIMIT %(limit)s
    ) candidate
    WHERE s.viewer_id = %(viewer_id)s
    ORDER BY candidate.notification_id DESC
    LIMIT %(limit)s
)
/* entries() */
ORDER BY n.id DESC
