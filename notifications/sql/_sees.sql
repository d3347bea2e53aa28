-- sees(n, p, s)
-- `_visible.sql` for the viewer whose interests `_mine.sql` holds: nothing is looked up any more.
p.topic_id = s.topic_id
AND p.kind = ANY (s.kinds)
AND p.seq >= s.from_seq
AND p.seq < s.end_seq
AND p.posted_at <@ s.heard
AND (n.expires_at IS NULL OR n.expires_at > now())
AND /* suits(n, p, s) */
