-- reaches(n, p, s)
-- THE RULE: posting p of notification n reaches the viewer of the interest s, in the app and outside.
-- (A CASE, not an OR: what is given needs no membership, but shows nothing from before the viewer joined.)
/* concerns(n, p, s) */
AND CASE WHEN s.is_given THEN p.posted_at >= s.since ELSE EXISTS (
    SELECT FROM accounts_membership m WHERE m.user_id = s.viewer_id AND /* covers(m, p) */
) END
