-- reaches(n, p, s)
-- THE RULE: posting p of notification n reaches the viewer of the interest s, in the app and outside.
-- (A CASE, not an OR: what is given needs no membership, but shows nothing from before the viewer joined.)
p.topic_id = s.topic_id
AND p.seq >= s.from_seq
AND (s.until_seq IS NULL OR p.seq < s.until_seq)
AND (s.is_given OR n.kind = ANY (s.kinds))
AND (s.muted_until IS NULL OR p.posted_at >= s.muted_until)
AND CASE WHEN /* suits_all(n, p) */ THEN TRUE ELSE EXISTS (
    SELECT FROM accounts_viewerprofile v WHERE v.user_id = s.viewer_id AND /* suits(n, p, v) */
) END
AND CASE WHEN s.is_given THEN p.posted_at >= s.since ELSE EXISTS (
    SELECT FROM accounts_membership m
    WHERE m.user_id = s.viewer_id
      AND m.starts_at <= p.posted_at
      AND (m.ends_at IS NULL OR p.posted_at < m.ends_at)
) END
