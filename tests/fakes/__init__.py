"""Scripted servers: functions of an httpx.Request, made from what real servers are documented or were seen to do."""
