-- suits_all(n, p)
-- Posting p of notification n suits every profile, as most do: none needs to be looked up, as every user has one.
(n.maturity <= %(kids_max_maturity)s AND n.languages IS NULL AND n.regions IS NULL AND p.regions IS NULL)
