-- What a viewer who holds `positions` has missed: the newest visible revision of each notification, in posting order, as
-- one text `notification:revision …`, because of a crowd many have missed the same. The revision is `-` where the viewer
-- may hold a card that is not for them any more.
SELECT string_agg(
    newest.notification_id || ':' || COALESCE(newest.revision::text, '-'),
    ' ' ORDER BY newest.posted_at, newest.notification_id
) AS revisions
FROM (
    SELECT
        missed.notification_id,
        max(missed.revision) FILTER (WHERE missed.is_visible) AS revision,
        max(missed.posted_at) AS posted_at
    FROM jsonb_each_text(%(positions)s) AS held (topic, seq)
    CROSS JOIN LATERAL (SELECT id FROM notifications_topic WHERE name = held.topic OFFSET 0) topic
    -- A fence, as in inbox.sql: the topics held are few, and of the viewer's interests no other is looked at.
    CROSS JOIN LATERAL (SELECT * FROM /* mine() */ interests WHERE topic_id = topic.id OFFSET 0) s
    CROSS JOIN LATERAL (
        SELECT * FROM (
            SELECT
                p.notification_id, p.revision, p.posted_at, p.seq,
                /* sees(n, p, s) */ AND NOT /* dismissed(p) */ AS is_visible,
                /* may_hide(n, p, s) */ AS may_hide
            FROM (
                SELECT topic_id, kind, seq, notification_id, revision, posted_at, regions
                FROM notifications_posting
                WHERE topic_id = s.topic_id AND seq > held.seq::bigint
                ORDER BY seq
                OFFSET 0  -- a fence, as in inbox.sql
            ) p
            CROSS JOIN LATERAL (SELECT * FROM notifications_notification WHERE id = p.notification_id OFFSET 0) n
            OFFSET 0
        ) p
        WHERE p.is_visible OR p.may_hide
        ORDER BY p.seq
        LIMIT %(limit)s
    ) missed
    GROUP BY missed.notification_id
    ORDER BY max(missed.posted_at), missed.notification_id
    LIMIT %(limit)s
) newest
