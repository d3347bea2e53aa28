-- visible(p, s)
-- The viewer may see posting p of notification n through the interest s.
s.viewer_id = %(viewer_id)s
AND (n.expires_at IS NULL OR n.expires_at > now())
AND /* reaches(n, p, s) */
