-- after_quiet(a, pref)
-- a.moment; or, where that falls into a viewer's quiet hours by the clocks of a.zone, the next time they show the end of
-- them. A time that the clocks skip comes as much after the skip; one that they show twice is the second.
CASE
    WHEN CASE
        WHEN pref.quiet_from < pref.quiet_until
            THEN a.wall::time >= pref.quiet_from AND a.wall::time < pref.quiet_until
        ELSE a.wall::time >= pref.quiet_from OR a.wall::time < pref.quiet_until  -- over midnight
    END
        THEN (a.wall::date + (a.wall::time >= pref.quiet_until)::int + pref.quiet_until) AT TIME ZONE a.zone
    ELSE a.moment
END
