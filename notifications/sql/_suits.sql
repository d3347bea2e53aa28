-- suits(n, p, v)
-- Posting p of notification n is meant for a viewer with profile v. `Filter.passes` says the same of live connections.
(n.maturity <= %(kids_max_maturity)s OR NOT v.is_kids)
AND (n.languages IS NULL OR v.languages = '{}' OR n.languages && v.languages)
AND (n.regions IS NULL OR v.region = ANY (n.regions))
AND (p.regions IS NULL OR v.region = ANY (p.regions))
