// Package schedule is when jobs are started: cron.yaml, the ticks of its schedules
// in their time zones, and the clock that starts what is due, once a tick however
// many clocks there are.
//
//	schedules:
//	  nightly:
//	    cron: "30 2 * * *"
//	    zone: Europe/Berlin
//	    job: report
//	    params: {day: "{{date}}"}
//
// The cron.yaml of an Elastic Beanstalk worker environment is read as it is. A field
// that is not known is an error. docs/jobs/schedules.md describes both for people.
package schedule
