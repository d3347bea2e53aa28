-- interests()
-- What viewers hear of. The topics that they follow; and, given to everybody, members or not, from the day on which
-- they joined: their own, and that of the platform.
(
    SELECT viewer_id, topic_id, kinds, from_seq, until_seq, muted_until, created_at AS since, FALSE AS is_given
    FROM notifications_subscription
    UNION ALL
    SELECT u.id, t.id, NULL::varchar[], 1::bigint, NULL::bigint, NULL::timestamptz, u.date_joined, TRUE
    FROM accounts_user u JOIN notifications_topic t ON t.viewer_id = u.id
    UNION ALL
    SELECT u.id, t.id, NULL::varchar[], 1::bigint, NULL::bigint, NULL::timestamptz, u.date_joined, TRUE
    FROM accounts_user u CROSS JOIN notifications_topic t WHERE t.name = 'platform:all'
)
