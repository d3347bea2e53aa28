-- How many notifications the viewer has not read, counted up to `limit`.
-- Each is counted at one posting: of its newest visible revision, the one in the first topic, in the order in which
-- topics are scanned. So nothing has to be sorted or made distinct, and the scan ends at the limit.
WITH interests AS MATERIALIZED /* mine() */
SELECT count(*) FROM (
    (SELECT
    FROM interests s
    CROSS JOIN LATERAL unnest(s.kinds) AS wanted (kind)
    CROSS JOIN LATERAL (
        SELECT topic_id, kind, seq, notification_id, revision, posted_at, regions
        FROM notifications_posting
        WHERE topic_id = s.topic_id
          AND kind = wanted.kind
          AND seq >= GREATEST(s.from_seq, s.read_seq + 1)
          AND seq < s.end_seq
        OFFSET 0  -- a fence, as in inbox.sql
    ) p
    CROSS JOIN LATERAL (SELECT * FROM notifications_notification WHERE id = p.notification_id OFFSET 0) n
    WHERE s.end_seq > GREATEST(s.from_seq, s.read_seq + 1)  -- else all of it is read, and nothing is looked up
    AND /* sees(n, p, s) */
    AND NOT EXISTS (
        SELECT FROM notifications_readitem item
        WHERE item.viewer_id = %(viewer_id)s AND item.notification_id = n.id AND item.revision >= p.revision
        OFFSET 0
    )
    AND NOT EXISTS (
        SELECT
        FROM (
            SELECT * FROM notifications_posting
            WHERE notification_id = n.id
              AND revision >= p.revision
              AND (topic_id <> p.topic_id OR revision > p.revision)
            OFFSET 0  -- found by their notification, not by their topic
        ) other
        CROSS JOIN LATERAL (SELECT * FROM interests WHERE topic_id = other.topic_id OFFSET 0) via
        WHERE other.topic_id = ANY (ARRAY(SELECT topic_id FROM interests))
        AND (other.revision > p.revision OR other.topic_id < p.topic_id OR other.seq <= via.read_seq)
        AND /* sees(n, other, via) */
        OFFSET 0
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
