/* SPDX-License-Identifier: MIT */
/* completion bash: the script is made from the option tables, so it cannot fall behind them. */
#include "common.h"

#include <ctype.h>
#include <string.h>

struct completion_args {
	struct probe *p;
	bool bash;
};

static error_t parse_completion(int key, char *arg, struct argp_state *state)
{
	struct completion_args *args = state->input;

	if (key == ARGP_KEY_END && !args->bash && !args->p->help)
		return usage_error(args->p, "SHELL is missing; bash is known");
	if (key != ARGP_KEY_ARG || args->bash)
		return ARGP_ERR_UNKNOWN;
	args->bash = strcmp(arg, "bash") == 0;
	return args->bash ? 0 : usage_error(args->p, "no script for \"%s\"; bash is known", arg);
}

const struct argp completion_argp = {.parser = parse_completion, .args_doc = "bash"};

static void print_options(const struct argp *argp)
{
	if (argp == NULL || argp->options == NULL)
		return;
	for (const struct argp_option *option = argp->options; option->name != NULL; option++) {
		printf(" --%s", option->name);
		if (isalpha(option->key))
			printf(" -%c", option->key);
	}
}

/* Words that a command takes besides options; empty: file names. */
static const struct {
	const char *command, *words;
} words[] = {
	{"cells", "conductance pulse form set reset sweep"}, {"completion", "bash"}, {"help", "$commands"},
	{"list", "sim"}, {"neurons", "set all"},
	{"trace", "$([[ $previous != trace ]] || echo run)"},
	{"attr", "$(\"${COMP_WORDS[0]}\" -q $device attr 2>/dev/null | awk '{print $1}')"},
};

static const char head[] =
	"# bash completion for nmhal-probe; made by `nmhal-probe completion bash`\n"
	"_nmhal_probe()\n"
	"{\n"
	"\tlocal line=\"${COMP_LINE:0:COMP_POINT}\" global command='' device='' options='' candidates=''\n"
	"\tlocal word current previous skip i\n"
	"\tlocal commands='";
/* A URI holds ':' and '=', where bash splits words: the words are taken from the line itself. */
static const char middle[] =
	"\tread -r -a word <<< \"$line\"\n"
	"\t[[ $line == *[[:space:]] || ${#word[@]} -eq 0 ]] && word+=('')\n"
	"\tcurrent=\"${word[-1]}\"\n"
	"\tprevious=\"${word[-2]}\"\n"
	"\tfor ((i = 1; i < ${#word[@]} - 1; i++)); do\n"
	"\t\tcase \"${word[i]}\" in\n"
	"\t\t-u|--uri) device=\"-u ${word[i + 1]}\"; ((i++)) ;;\n"
	"\t\t--uri=*) device=\"${word[i]}\" ;;\n"
	"\t\t-T|--timeout) ((i++)) ;;\n"
	"\t\t-*) ;;\n"
	"\t\t*) command=\"${word[i]}\"; break ;;\n"
	"\t\tesac\n"
	"\tdone\n"
	"\tcase \"$command\" in\n";
static const char tail[] =
	"\tesac\n"
	"\tif [[ $previous == -u || $previous == --uri ]]; then\n"
	"\t\tcandidates=\"$(\"${COMP_WORDS[0]}\" -q list 2>/dev/null | awk 'NR > 1 {print $1}')\"\n"
	"\telif [[ $current == -* ]]; then\n"
	"\t\tcandidates=\"$global $options\"\n"
	"\telif [[ -z $command ]]; then\n"
	"\t\tcandidates=\"$commands\"\n"
	"\tfi\n"
	"\tif [[ -n $candidates ]]; then\n"
	"\t\tmapfile -t COMPREPLY < <(compgen -W \"$candidates\" -- \"$current\")\n"
	"\telse\n"
	"\t\tmapfile -t COMPREPLY < <(compgen -f -- \"$current\")\n"
	"\tfi\n"
	"\tskip=\"${current%\"${COMP_WORDS[COMP_CWORD]}\"}\"\n"
	"\tcase \"${COMP_WORDS[COMP_CWORD]}\" in\n"
	"\t:|=) skip=\"$current\" ;;\n"
	"\tesac\n"
	"\tCOMPREPLY=(\"${COMPREPLY[@]#\"$skip\"}\")\n"
	"}\n"
	"complete -o filenames -F _nmhal_probe nmhal-probe\n";

static void print_case(const struct command *command)
{
	printf("\t%s) options='", command->name);
	print_options(command->argp);
	fputs("'", stdout);
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (strcmp(words[i].command, command->name) == 0)
			printf(" candidates=\"%s\"", words[i].words);
	fputs(" ;;\n", stdout);
}

int cmd_completion(struct probe *p, const struct command *self, int argc, char **argv)
{
	struct completion_args args = {.p = p};
	int code = probe_parse(p, self, argc, argv, &args);

	if (code != PROBE_OK || p->help)
		return code;
	fputs(head, stdout);
	for (const struct command *command = commands; command->name != NULL; command++)
		printf("%s%s", command == commands ? "" : " ", command->name);
	fputs("'\n\tglobal='", stdout);
	print_options(&global_argp);
	fputs("'\n", stdout);
	fputs(middle, stdout);
	for (const struct command *command = commands; command->name != NULL; command++)
		print_case(command);
	fputs(tail, stdout);
	return PROBE_OK;
}
