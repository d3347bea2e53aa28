-- covers(m, p)
-- When p was posted, the membership m held.
m.starts_at <= p.posted_at AND (m.ends_at IS NULL OR p.posted_at < m.ends_at)
