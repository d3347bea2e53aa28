-- interests()
-- What viewers hear of. The topics that they follow; and, given to everybody, members or not: their own topic, and from
-- the day on which they joined that of the platform. (Each part reads one table alone: so the planner looks into all
-- three by viewer and topic, instead of collecting everything that a viewer hears of.)
(
    SELECT viewer_id, topic_id, kinds, from_seq, until_seq, muted_until, created_at AS since, FALSE AS is_given
    FROM notifications_subscription
    UNION ALL
    SELECT viewer_id, id, NULL::varchar[], 1::bigint, NULL::bigint, NULL::timestamptz, 'epoch'::timestamptz, TRUE
    FROM notifications_topic WHERE viewer_id IS NOT NULL
    UNION ALL
    SELECT
        id, (SELECT id FROM notifications_topic WHERE name = 'platform:all'),
        NULL::varchar[], 1::bigint, NULL::bigint, NULL::timestamptz, date_joined, TRUE
    FROM accounts_user
)
