-- concerns(n, p, s)
-- Posting p of notification n is for the viewer of the interest s, were they a member then.
p.topic_id = s.topic_id
AND p.seq >= s.from_seq
AND (s.until_seq IS NULL OR p.seq < s.until_seq)
AND (s.is_given OR n.kind = ANY (s.kinds))
AND (s.muted_until IS NULL OR p.posted_at >= s.muted_until)
AND CASE WHEN /* suits_all(n, p) */ THEN TRUE ELSE EXISTS (
    SELECT FROM accounts_viewerprofile v WHERE v.user_id = s.viewer_id AND /* suits(n, p, v) */
) END
