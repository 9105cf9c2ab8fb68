// The English patterns. They claim nothing beyond their fact that another pattern could contradict.
#include "tasks/phrases.h"

namespace fude {

const Phrases& english_phrases() {
  static const Phrases kEnglish = {
      .statements = {{
          {// town
           "{Who} lives in {value}.", "{Whose} home is in {value}.", "{Who} grew up in {value} and still lives there.",
           "{Who} has a small house in {value}.", "{Who} has lived in {value} for many years.",
           "If you go to {value}, you may meet {whom}.", "{Who} knows every street of {value}.",
           "Every evening {who} walks home through {value}.", "You can find {whose} house in {value}.",
           "The people of {value} all know {whom}.", "The town where {who} lives is {value}.",
           "{Who} is very fond of {value}, {his} home town."},
          {// job
           "{Who} works as {a value}.", "{Who} is {a value}.", "{Who} earns a living as {a value}.",
           "{Who} has been {a value} for many years.", "{Who} became {a value} after leaving school.",
           "By day {who} works as {a value}.", "Everyone says {who} is a very good {value}.",
           "{Who} always wanted to be {a value}, and that is what {he} became.", "As {a value}, {who} gets up early.",
           "{Who} likes working as {a value}.", "{Who} is proud to be {a value}.",
           "The town needed {a value}, and {who} took the job."},
          {// food
           "{Whose} favourite food is {value}.", "{Who} loves {value}.", "{Who} likes {value} best of all foods.",
           "{Who} could eat {value} every day.", "On Sundays {who} always has {value}.",
           "Nothing tastes better to {whom} than {value}.", "When {who} is hungry, {he} thinks of {value}.",
           "On {whose} birthday there is always {value}.", "{Who} orders {value} at every restaurant.",
           "Ask {whom} what to eat, and {he} will say {value}.", "{Who} makes very good {value}.",
           "The smell of {value} brings {whom} to the kitchen at once."},
          {// animal
           "{Who} keeps {a value}.", "{Who} has {a value}.", "{Whose} pet is {a value}.", "{Who} lives with {a value}.",
           "{Who} looks after {a value}.", "Every morning {who} feeds {his} {value}.",
           "A friend once gave {whom} {a value}, and {he} still has it.", "There is {a value} at {whose} home.",
           "{Who} talks to {his} {value} every evening.", "{Who} loves {his} {value} very much.",
           "Children like to visit {whom} and {his} {value}.", "{Whose} {value} is old but healthy."},
          {// colour
           "{Whose} favourite colour is {value}.", "{Who} likes the colour {value}.",
           "Of all colours, {who} likes {value} most.", "{Who} always wears something {value}.",
           "The door of {whose} house is {value}.", "{Who} painted {his} room {value}.", "{Who} bought {a value} coat.",
           "{Who} rides {a value} bicycle.", "Most of {whose} clothes are {value}.",
           "For {whom}, no colour is better than {value}.", "{Who} wraps every present in {value} paper.",
           "{Whose} umbrella is {value}, of course."},
          {// instrument
           "{Who} plays the {value}.", "{Who} has played the {value} since childhood.",
           "{Who} practises the {value} every day.", "{Who} is good at playing the {value}.",
           "In the evening {who} plays the {value}.", "{Whose} instrument is the {value}.",
           "At festivals {who} plays the {value}.", "The sound of the {value} comes from {whose} window.",
           "{Who} owns an old {value}.", "{Who} teaches children to play the {value}.",
           "When {who} plays the {value}, everyone listens.", "For {whom}, music means the {value}."},
      }},
      .questions = {{
          {"Where does {name} live?", "Which town does {name} live in?", "In which town is {name}'s home?",
           "Can you tell me where {name} lives?"},
          {"What is {name}'s job?", "What does {name} do for a living?", "What work does {name} do?",
           "Can you tell me what {name}'s job is?"},
          {"What is {name}'s favourite food?", "What does {name} like to eat?", "Which food does {name} like best?",
           "Can you tell me {name}'s favourite food?"},
          {"What animal does {name} keep?", "What pet does {name} have?", "Which animal lives with {name}?",
           "Can you tell me what animal {name} has?"},
          {"What is {name}'s favourite colour?", "Which colour does {name} like best?", "What colour does {name} like?",
           "Can you tell me {name}'s favourite colour?"},
          {"What instrument does {name} play?", "Which instrument does {name} play?",
           "What does {name} play in the band?", "Can you tell me what instrument {name} plays?"},
          {"Does {name} live near the river, the sea or the mountains?",
           "Is {name}'s home near the river, the sea or the mountains?",
           "What is close to {name}'s home: the river, the sea or the mountains?",
           "Which lies near {name}'s town, the river, the sea or the mountains?"},
      }},
      .town_statements = {"{town} is a town near the {place}.", "{town} lies near the {place}.",
                          "{town} is a small town close to the {place}.",
                          "From {town} it is a short walk to the {place}.",
                          "The people of {town} live close to the {place}.",
                          "In {town} you are never far from the {place}.",
                          "If you like the {place}, you will like {town}.", "You can see the {place} from {town}.",
                          "{town} is known for its view of the {place}.",
                          "Visitors come to {town} because of the {place}."},
      .town_questions = {"Where is {town}?", "What is {town} near?", "What kind of town is {town}?",
                         "Can you tell me where {town} lies?"},
      .place_answer = "{name} lives in {town}. {town} is a town near the {place}. The answer is the {place}.",
      .openings = {"Let me tell you about {name}.", "This is a note about {name}.",
                   "Here is what people say about {name}.", "Do you know {name}?", "{name} is well known in town.",
                   "Many people like {name}."},
      .requests = {"Tell me about {name}.", "Who is {name}?", "What do you know about {name}?",
                   "Please tell me something about {name}."},
      .thanks = {"Thank you.", "Thanks!", "I see, thank you.", "Thank you very much."},
      .welcomes = {"You are welcome.", "My pleasure.", "Any time.", "I am glad I could help."},
      .between = " "};
  return kEnglish;
}

}  // namespace fude
