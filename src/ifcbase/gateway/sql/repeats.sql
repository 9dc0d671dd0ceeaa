-- answered: what was answered to a request with this key
select status, body from core.answered(%(project)s, %(key)s, %(fingerprint)s)

-- note: keeps the answer to a request
select core.note_answer(%(project)s, %(key)s, %(fingerprint)s, %(status)s, %(body)s)
